# expect: 2: missing required argument
flow "x" {
  language = "en"
  hangup "bye" {}
}
