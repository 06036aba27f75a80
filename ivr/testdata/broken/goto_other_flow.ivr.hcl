# expect: 12: unknown step
flow "a" {
  language = "en"
  start = "bye"
  hangup "bye" {}
}
flow "x" {
  language = "en"
  start = "p"
  play "p" {
    prompt = "welcome"
    next = "bye"
  }
}
