# expect: 10: missing required argument
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted {}
  }
  hangup "bye" {}
}
