flow "order" {
  language = "en"
  start    = "language"

  menu "language" {
    prompt = "choose-language"
    choice "1" { goto = "number" }
    choice "2" { goto = "danish" }
    no_input { goto = "number" }
    no_match { goto = "number" }
  }

  speak "danish" {
    language = "da"
    next     = "number"
  }

  collect "number" {
    prompt  = ["enter", "order"]
    min     = 2
    max     = 4
    into    = "order"
    between = "2s"
    next    = "confirm"
    no_input { goto = "bye" }
    no_match { prompt = "no-match" }
    exhausted { goto = "bye" }
  }

  menu "confirm" {
    prompt = "press-1-if-right"
    choice "1" { goto = "note" }
    choice "2" { goto = "number" }
    choice "*" { goto = "read-back" }
    no_input { goto = "bye" }
    no_match {}
    exhausted { goto = "bye" }
  }

  play "read-back" {
    prompt = "you-typed"
    spell  = var.order
    next   = "confirm"
  }

  note "note" {
    text = "order ${var.order}!"
    next = "bye"
  }

  hangup "bye" {}
}
