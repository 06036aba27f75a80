# expect: 5: invalid name
flow "x" {
  language = "en"
  start = "m"
  hangup "m" { reason = "go away!" }
}
