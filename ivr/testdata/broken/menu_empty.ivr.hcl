# expect: 5: empty menu
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
