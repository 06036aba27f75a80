# expect: 12: duplicate step
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
  hangup "m" {}
  hangup "bye" {}
}
