# expect: 8: endless loop
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    choice "1" { goto = "bye" }
    no_input { goto = "m" }
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
