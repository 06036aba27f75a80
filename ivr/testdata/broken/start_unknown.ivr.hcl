# expect: 4: unknown step
flow "x" {
  language = "en"
  start = "nowhere"
  hangup "bye" {}
}
