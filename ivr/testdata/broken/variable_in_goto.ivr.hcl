# expect: 7: unsupported expression
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    choice "1" { goto = var.pin }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
