# expect: 7: bad duration
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    timeout = "24h"
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
