# expect: 12: unreachable step
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  play "lost" {
    prompt = "welcome"
    next = "bye"
  }
  hangup "bye" {}
}
