# expect: 8: endless loop
flow "x" {
  language = "en"
  start    = "a"
  voicemail "a" {
    box  = "9004"
    next = "b"
    otherwise { goto = "a" }
  }
  hangup "b" {}
}
