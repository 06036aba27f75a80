# expect: 6: unsupported expression
flow "x" {
  language = "en"
  start    = "m"
  note "m" {
    text = upper("x")
    next = "bye"
  }
  hangup "bye" {}
}
