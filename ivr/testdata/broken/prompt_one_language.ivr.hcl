# expect: 6: unknown prompt
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "english-only"
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
