# expect: 7: duplicate flow
flow "x" {
  language = "en"
  start = "bye"
  hangup "bye" {}
}
flow "x" {
  language = "en"
  start = "bye"
  hangup "bye" {}
}
