"""The figures of a report: what each is called, means, and which way is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure of a scheme."""

    name: str
    """Key in JSON and CSV."""
    title: str
    """Heading of its column."""
    meaning: str
    """One clause for a reader who never met it."""
    better: int = 0
    """1 where higher is better, -1 where lower is, 0 where it only describes."""
    form: str = "{:.3f}"
    """Format of the figure."""
    unit: str = ""
    """Unit, empty where it has none."""
    material: float = 0.0
    """Difference below which a loss is no reason against a scheme, however certain it is."""
    compared: bool = False
    """True if it compares with Keras, so that Keras itself has none."""


METRICS = {
    metric.name: metric
    for metric in (
        Metric("vus_pr", "VUS-PR", "how well scores rank anomalous stretches, threshold-free; 1 is perfect, chance is the "
               "anomalous share; buffers up to 100 rows", 1, material=0.01),
        Metric("event_recall", "event recall", "share of labelled anomalies that raised an alarm", 1, material=0.01),
        Metric("false_alarms_per_day", "false alarms", "alarms that overlap no labelled anomaly", -1, "{:.1f}", "per day"),
        Metric("false_alarms_per_1000_rows", "false alarms", "alarms that overlap no labelled anomaly", -1, "{:.2f}",
               "per 1000 rows"),
        Metric("delay_seconds", "delay", "median time from the start of a labelled anomaly to its alarm", -1, "{:.0f}", "s"),
        Metric("delay", "delay", "median time from the start of a labelled anomaly to its alarm", -1, "{:.0f}", "rows"),
        Metric("accuracy", "accuracy", "share of right answers; no answer counts as wrong", 1, material=0.01),
        Metric("macro_f1", "macro F1", "mean over the classes of the harmonic mean of precision and recall", 1, material=0.01),
        Metric("explained", "variance explained", "share of the target's variance that the output reproduces, normal "
               "operation; 1 is perfect", 1, "{:.4f}", material=0.01),
        Metric("mae", "absolute error", "mean difference of output and target, in deviations of the training rows", -1,
               "{:.4f}", material=0.001),
        Metric("output_error", "output error", "RMS difference from Keras' output on held-back windows, as a share of its "
               "standard deviation", -1, "{:.2%}", compared=True),
        Metric("score_correlation", "score correlation", "Pearson correlation of the scores with those of Keras, row by "
               "row", 1, "{:.4f}", compared=True),
        Metric("rank_correlation", "rank correlation", "Spearman correlation of the scores with those of Keras", 1, "{:.4f}", compared=True),
        Metric("threshold", "threshold", "alarm threshold, recalibrated on this file's own scores", 0),
        Metric("threshold_shift", "threshold shift", "the recalibrated threshold against that of Keras", 0, "{:+.1%}", compared=True),
        Metric("flips", "decisions flipped", "share of rows that are above the threshold in one of this file and Keras but "
               "not in the other", -1, "{:.2%}", compared=True),
        Metric("clipped", "input clipped", "share of the judged rows' values that the model's integer input cannot hold; the "
               "score is taken against the true values all the same", 0, "{:.2%}", compared=True),
        Metric("answers_flipped", "answers changed", "share of examples that get another answer than from Keras", -1, "{:.2%}"),
    )
}  # fmt: skip
HEADLINE = ("vus_pr", "accuracy", "explained")  # what accuracy-versus-size is drawn with: the first that a report has


def written(metric: Metric, value: float | None) -> str:
    """Format a figure; a dash where there is none.

    Args:
        metric: Its form.
        value: The figure.
    """
    return "–" if value is None else metric.form.format(value)
