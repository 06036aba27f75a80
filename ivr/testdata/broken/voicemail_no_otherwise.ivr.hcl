# expect: 5: missing branch
flow "x" {
  language = "en"
  start    = "a"
  voicemail "a" {
    box  = "9004"
    next = "b"
    on_full { goto = "b" }
  }
  hangup "b" {}
}
