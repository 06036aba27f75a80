# expect: 6: bad text
flow "x" {
  language = "en"
  start    = "m"
  note "m" {
    text = ""
    next = "bye"
  }
  hangup "bye" {}
}
