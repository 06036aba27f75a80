# expect: 7: bad duration
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    timeout = "soon"
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
