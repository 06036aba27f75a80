# expect: 6: unknown language
flow "x" {
  language = "en"
  start    = "s"
  speak "s" {
    language = "tlh"
    next = "bye"
  }
  hangup "bye" {}
}
