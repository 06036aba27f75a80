# expect: 7: empty text
flow "x" {
  language = "en"
  start    = "m"
  play "m" {
    prompt = "welcome"
    next = ""
  }
  hangup "bye" {}
}
