# expect: 9: unknown prompt
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    choice "1" { goto = "bye" }
    no_input {}
    no_match { prompt = "nosuch" }
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
