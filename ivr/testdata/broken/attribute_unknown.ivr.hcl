# expect: 7: unsupported argument
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    bargein = true
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
