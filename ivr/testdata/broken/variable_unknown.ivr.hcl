# expect: 6: unknown variable
flow "x" {
  language = "en"
  start    = "m"
  note "m" {
    text = var.nosuch
    next = "bye"
  }
  hangup "bye" {}
}
