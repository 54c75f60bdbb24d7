"""A small data folder of our own, laid out like the real one, to train and judge a text model on."""

import shutil
from pathlib import Path

import pandas as pd

from models.artifact import TOKENIZER, base_folder
from models.lexical import VOCABULARY

GOODS = ("copper", "timber", "cloth", "glass", "paper", "salt", "grain", "tea", "wool", "steel")
PLACES = ("north", "south", "east", "west", "coast", "hills")


def write_data(folder: Path) -> Path:
    """A folder like that of the real data, with one leaking training row in each set."""
    texts = [f"Dealers in {place} say {good} {verb} again" for place in PLACES for good in GOODS for verb in ("gained", "fell")]
    labels = [1 if "gained" in text else 0 for text in texts]
    leak = "The Kestrel Mills board meets tomorrow to vote on the new dividend plan"
    for name in ("tfns_sentiment", "tfns_topic", "sentfin"):
        (folder / name).mkdir(parents=True)
    tweets = pd.DataFrame({"text": texts, "label": labels})
    leaking = pd.DataFrame({"text": [f"{leak.upper()} https://example.org/9"], "label": [2]})
    judged = pd.DataFrame({"text": [leak, "Corvo $CRV unveils a kettle"], "label": [2, 1]})
    pd.concat([tweets, leaking]).to_csv(folder / "tfns_sentiment" / "sent_train.csv", index=False)
    judged.to_csv(folder / "tfns_sentiment" / "sent_valid.csv", index=False)
    pd.concat([tweets, leaking]).to_parquet(folder / "tfns_topic" / "train.parquet")
    judged.to_parquet(folder / "tfns_topic" / "validation.parquet")
    (folder / "tfns_topic" / "classes.txt").write_text("Weather\nTrade\nPeople")
    headlines = [(i, f"Corvo {good} arm shrinks, Halden {good} arm grows") for i, good in enumerate(GOODS, 1)]
    rows = [(i, text, name, mood) for i, text in headlines for name, mood in (("Corvo", "negative"), ("Halden", "positive"))]
    rows += [
        (20, "Kestrel neutral on tea", "Kestrel", "neutral"),
        (21, leak.replace("vote", "vote,"), "Kestrel Mills", "neutral"),
    ]
    frame = pd.DataFrame(rows, columns=["headline_id", "headline", "entity", "sentiment"])
    frame.to_csv(folder / "sentfin" / "entity_sentiment.csv", index=False)
    return folder


def write_encoder(folder: Path) -> Path:
    """A tiny encoder without token types, of random weights, that reads the tokens of the package's."""
    import torch
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(1)
    config = MPNetConfig(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    MPNetModel(config, add_pooling_layer=False).save_pretrained(folder)  # type: ignore[no-untyped-call]
    shutil.copy(base_folder() / TOKENIZER, folder)
    return folder
