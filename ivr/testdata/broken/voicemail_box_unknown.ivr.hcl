# expect: 6: unknown mailbox
flow "x" {
  language = "en"
  start    = "a"
  voicemail "a" {
    box  = "9005"
    next = "b"
    otherwise { goto = "b" }
  }
  hangup "b" {}
}
