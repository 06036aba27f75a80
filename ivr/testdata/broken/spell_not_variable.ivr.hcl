# expect: 7: wrong type
flow "x" {
  language = "en"
  start    = "m"
  play "m" {
    prompt = "welcome"
    spell = "12"
    next = "bye"
  }
  hangup "bye" {}
}
