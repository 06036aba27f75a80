# expect: 7: wrong type
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    timeout = 5
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
