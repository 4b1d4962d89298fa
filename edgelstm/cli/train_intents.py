"""`edgelstm train intents`: from labelled texts to a classifier of intents."""

from pathlib import Path
from typing import Any

import click

from .lazy_group import examples
from .train_common import check_paths, chosen, data_argument, output_options, print_result, training_options
from .train_states import sentence


@click.command(
    "intents",
    epilog=examples(
        "edgelstm train intents -o intents.keras", "edgelstm train intents requests.csv -o requests.keras --units 48"
    ),
)
@data_argument(required=False)
@output_options
@click.option("--text-column", default="text", show_default=True, metavar="NAME", help="Column with the texts.")
@click.option("--label-column", default="intent", show_default=True, metavar="NAME", help="Column with the classes.")
@training_options(
    "texts",
    {"units": "32", "dropout": "0.5", "epochs": "15", "batch-size": "64", "learning-rate": "0.008"},
    units="Units of the LSTM in each direction.",
)
def command(
    data: tuple[Path, ...],
    output: Path,
    text_column: str,
    label_column: str,
    units: int | None,
    dropout: float | None,
    no_embed: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a classifier of texts, for `edgelstm classify`.

    DATA is one or more CSV files with a text and its class a row. Without DATA, the data set of household requests
    that is part of the package is learned, and compared with TF-IDF and logistic regression on its test phrasings.
    """
    from dataclasses import replace

    from edgelstm.classification.data import INTENTS, embedded_texts, read_texts
    from edgelstm.classification.train import Options, train_texts
    from edgelstm.cli.progress import epochs

    check_paths(data, output)
    defaults = Options()
    network = replace(defaults.network, **chosen({"units": units, "dropout": dropout}))
    settings = replace(defaults, network=network, **chosen(options))
    texts = read_texts(data, text_column, label_column) if data else embedded_texts(INTENTS)
    click.echo(f"{len(texts.texts)} texts, {len(set(texts.labels))} classes", err=True)
    with epochs(settings.epochs) as callbacks:
        trained = train_texts(texts, settings, callbacks)
    trained.save(output, embed=not no_embed)
    more = {"classes": trained.metadata.sections["classifier"]["labels"]}
    if not data:
        more |= _against_baselines(output)
    print_result(trained, output, as_json, _sentence, more)


def _sentence(record: dict[str, Any]) -> str:
    if "test_accuracy" not in record:
        return sentence(record)
    baselines = ", ".join(f"{share:.1%} on {kind}" for kind, share in record["baselines"].items())
    return (
        f"{sentence(record)}\nOn {record['test_examples']} phrasings that training never saw: "
        f"{record['test_accuracy']:.1%}; TF-IDF + logistic regression {baselines}"
    )


def _against_baselines(model: Path) -> dict[str, Any]:
    """Accuracy of a model and of the baselines on the test phrasings that are part of the package."""
    from tempfile import TemporaryDirectory

    from edgelstm import calibration_data
    from edgelstm.classification.baseline import BASELINES, fit_baseline
    from edgelstm.classification.data import INTENTS, INTENTS_TEST, embedded_texts
    from edgelstm.classification.evaluate import evaluate

    with TemporaryDirectory() as folder:
        quality = evaluate(model, calibration_data.write(INTENTS_TEST, Path(folder)))
    train, test = embedded_texts(INTENTS), embedded_texts(INTENTS_TEST)
    baselines = {kind: float(fit_baseline(train, kind).score(test.texts, test.labels)) for kind in BASELINES}
    return {"test_examples": quality.examples, "test_accuracy": quality.accuracy, "baselines": baselines}
