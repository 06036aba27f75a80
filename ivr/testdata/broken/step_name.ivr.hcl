# expect: 12: invalid name
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
  hangup "Good Bye" {}
  hangup "bye" {}
}
