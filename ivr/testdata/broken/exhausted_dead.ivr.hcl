# expect: 10: dead branch
flow "x" {
  language = "en"
  start    = "m"
  menu "m" {
    prompt = "welcome"
    choice "1" { goto = "bye" }
    no_input { goto = "bye" }
    no_match { goto = "bye" }
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}
