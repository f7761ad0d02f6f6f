"""The stages of commands in words."""

from influence.types import Stage, StageKind

SPLITS = {"train": "training", "test": "test"}
WORDS: dict[str, str] = {
    StageKind.TOKENIZER: "learning the word pieces",
    StageKind.IMPORT: "importing the checkpoints",
    StageKind.TOKENIZE: "cutting the {examples} texts into tokens",
    StageKind.CHECK: "trying the model on a few texts",
    StageKind.TRAIN: "training, epoch {number}",
    StageKind.PREDICT: "what checkpoint {number} of {out_of} says of the {examples} texts",
    StageKind.KEEP: "keeping the chosen checkpoints",
    StageKind.GRADIENTS: "gradients of the {examples} texts, checkpoint {number} of {out_of}",
    StageKind.INFLUENCES: "explaining every test prediction",
    StageKind.EMBEDDINGS: "reading the training texts",
    StageKind.OPINIONS: "asking what models that never saw a label think of it",
    StageKind.OPPOSITION: "which right predictions each example opposes",
    StageKind.NEIGHBOURS: "whether same-word neighbours pull against a label",
    StageKind.DISTANCES: "comparing the examples that were hard to learn",
    StageKind.DENDROGRAM: "grouping them into clusters",
    StageKind.NAMES: "naming the clusters",
    StageKind.MAP: "drawing the map of the clusters",
    StageKind.HELD_OUT: "training held-out models",
    StageKind.TASKS: "what related examples say of each suspect",
    StageKind.RETRAIN: "training models",
    StageKind.BACKUP: "writing the backup",
    StageKind.RESTORE: "unpacking the backup",
    StageKind.VERIFY: "checking that every file is what was written",
    StageKind.READING: "what the model says of the new rows",
    StageKind.MISTAKES: "gradients of the mistakes",
    StageKind.CANDIDATES: "gradients of the new rows",
    StageKind.HELPED: "which mistake each of the best helps most",
    StageKind.CONTROLS: "training models without any change",
}


def in_words(stage: Stage) -> str:
    """A stage's name as people say it; one that is not known here by its own."""
    words = WORDS.get(stage.kind)
    if words is None:
        return stage
    examples = SPLITS.get(stage.examples, stage.examples)
    return words.format(examples=examples, number=stage.number, out_of=stage.out_of)
