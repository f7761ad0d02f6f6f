"""The Help page: what the numbers mean in plain words, the keys, and the one place that shows command lines."""

import shlex

from influence.program import PROGRAM
from pages.ui.frame import render, shell, workspaces
from pages.ui.parts import verdicts

MEANINGS = (
    (
        "A score",
        "Wordtrace asks of every training example: had the model taken one more training step on it, would this prediction have "
        "become more or less likely? Above zero it speaks for the label that is asked about (a proponent), below zero against it "
        "(an opponent). It adds this up over the checkpoints kept from training.",
    ),
    (
        "Shares",
        "Scores are tiny numbers, and their size alone means nothing. So a card shows its share of the strongest score; "
        "the score itself, in nats (units of the loss), is in its tooltip.",
    ),
    (
        "Lit words",
        "By the usual method a score goes through the words that both texts share, and the parts of the words add up to it. A "
        "solid line pulls towards the label, a dotted one away from it. Tokenizers cut rare words into pieces; where two words "
        "share a piece only, that piece alone is lit.",
    ),
    (
        "Start and end tokens",
        "Most models put a token before and after each text. Every text has them, so what goes through them says something about "
        "texts as a whole and little about words. Explore says so where they carry more than a twentieth.",
    ),
    (
        "What a score is not",
        "It is not a probability, and it does not say that an example is wrong. Nor does it say what would happen without the "
        "example: training again without it may make up for it. Proof trains again and measures that.",
    ),
    (
        "Suspects",
        "Whether a label looks wrong is a question of its own: several models that never saw the label give their opinion, and "
        "Suspects ranks the examples by how clearly they contradict it. You decide in Review.",
    ),
)
KEYS = (
    ("Explore", (("J", "next sentence"), ("P", "previous sentence"), ("U", "back to the list"))),
    (
        "Review",
        (
            ("1 to 9", "a label, as the buttons show; with more labels two digits"),
            *((one.key, one.button.lower()) for one in verdicts.WORDINGS.values() if one.key),
            ("U", "undo"),
            ("Y", "redo"),
            ("N", "a note"),
            ("P", "previous example"),
            ("J", "next example"),
            ("E", "more, or less, of the evidence"),
            ("/", "another label, by its name"),
            ("Q", "the queues"),
            ("?", "all keys of Review, and how to change them"),
        ),
    ),
)
COMMANDS = (
    ("Build the demo: about five minutes", "demo --workspace {root}/demo"),
    ("Explain a text", "query --workspace {} --text 'a dull film'"),
    ("Rank the suspects again", "suspects --workspace {}"),
    ("With five held-out models", "suspects --workspace {} --models 5"),
    ("Find clusters of suspects", "clusters --workspace {}"),
    ("Train again on the decisions", "retrain --workspace {} --decided"),
    ("Put the method to the test", "evaluate --workspace {}"),
    ("Write the fix list", "export --workspace {} --output fixes.csv"),
    ("Go on with an interrupted build", "build … --workspace {} --resume"),
    ("Serve the workspaces", "serve --workspace-root {root}"),
)


def draw(workspace: str) -> None:
    """The page; `workspace`: the one that commands name, "" for none."""
    render.title("Help")
    for name, text in MEANINGS:
        render.section(name)
        render.lead(text)
    render.section("Keys")
    render.lead("Every key stands on its button, too. Keys wait while a text field has the cursor.")
    for page, keys in KEYS:
        render.facts([(f"{page}: {key}", what) for key, what in keys])
    render.section("The pages")
    render.facts([(page.title, page.about) for key, page in shell.PAGES.items() if key != "help"])
    render.section("On the command line")
    root = workspaces.root()
    there = "" if root.is_dir() else ", which is not there: make it, or serve another"
    render.lead(
        "Whatever a page does can be done on the machine where the server runs, in the folder of Wordtrace. This server looks "
        f"for workspaces in {root}{there}."
    )
    path = shlex.quote(str(root / (workspace or "demo")))
    for name, command in COMMANDS:
        render.heading(name)
        render.command(f"{PROGRAM} {command.format(path, root=shlex.quote(str(root)))}")
