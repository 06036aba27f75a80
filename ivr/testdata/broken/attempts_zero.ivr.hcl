# expect: 7: out of range
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    attempts = 0
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
