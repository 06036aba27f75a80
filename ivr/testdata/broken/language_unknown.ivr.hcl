# expect: 3: unknown language
flow "x" {
  language = "tlh"
  start = "bye"
  hangup "bye" {}
}
