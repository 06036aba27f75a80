# expect: 2: unsupported argument
answer = 42
flow "x" {
  language = "en"
  start = "bye"
  hangup "bye" {}
}
