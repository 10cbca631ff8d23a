"""What the words of the report mean, for somebody who meets them for the first time. Longer: docs/statistics.md."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`heads`: columns of tables that show it, without unit and weights; `source`: who first said so."""

    term: str
    meaning: str
    source: str = ""
    heads: tuple[str, ...] = ()


NOT_STATISTICS = frozenset(
    {
        *("Variant", "State", "Device", "Data", "Quantity", "Pair", "Claim", "Against", "Why"),
        *("Job", "Attempt", "Cause", "Message"),
    }
)
"""Heads of columns that need no explanation, or are names."""

_UNIT = re.compile(r"(, (best|last|now|saved|points)|( [\d.]+)?,? %)$")  # or an accuracy, as in “s to 62.50 %”


def term_of(head: str) -> str | None:
    """The entry that explains a column; None for one that needs no explanation, or that nobody explained."""
    names = {head, _UNIT.sub("", _UNIT.sub("", head))}
    return next((entry.term for entry in GLOSSARY if names & {*entry.heads}), None)


_DATA = (
    Entry(
        term="n",
        meaning="How many trainings a number holds: one for each seed that is done. Trainings that predicted the "
        "same in every number count once.",
        heads=("n",),
    ),
    Entry(
        term="seed",
        meaning="The number from which all that is random in a training is drawn: the weights at the start, the "
        "order of the images, dropout, augmentation. Another seed is another training of the same variant. The split "
        "into training and validation is the same for all seeds.",
        heads=("Seed",),
    ),
    Entry(
        term="best and last weights",
        meaning="A network is kept twice: as it was after the epoch of its lowest validation loss (best), and as it "
        "was after its last epoch (last). The best ones are what one would use; papers often print the last ones.",
    ),
    Entry(
        term="printed value",
        meaning="What somebody printed of this variant, on the same data and with the same protocol.",
        heads=("Printed", "Printed acc.", "Printed loss", "Printed parameters", "Printed epochs", "Printed choice"),
    ),
    Entry(
        term="difference from the printed value",
        meaning="Ours less the printed value: above 0 where ours is larger. Accuracies and gaps in points.",
        heads=("Ours", "Difference, best", "Difference, last"),
    ),
    Entry(
        term="in our interval",
        meaning="Whether the printed value lies in our 95 % interval. A printed value of one run has noise of its "
        "own, so “no” does not mean that the paper is wrong.",
        heads=("In our interval",),
    ),
    Entry(
        term="accuracy",
        meaning="The share of images whose most probable class is the true one. Test accuracy is of images that had "
        "no part in training or in any choice; validation accuracy is of those by which weights and points are "
        "chosen, and is a little too good for that.",
        heads=("Test acc.", "Val. acc.", "Acc."),
    ),
    Entry(
        term="loss",
        meaning="Mean cross-entropy in nats: how surprised the network is by the true class, 0 when it is sure and "
        "right.",
        heads=("Test loss", "Loss"),
    ),
    Entry(
        term="gap",
        meaning="Training accuracy less validation accuracy, in points. A large gap says that the network knows its "
        "training images by heart. Training figures are taken while it learns, with dropout and augmentation, so the "
        "gap may be below 0; with mixup or cutmix they count the class with the larger part of a mixed target.",
        heads=("Gap",),
    ),
    Entry(
        term="chosen",
        meaning="The point of a sweep with the highest mean validation accuracy, once all its points are done, and of "
        "how many it is the best. The test set has no say.",
        heads=("Chosen",),
    ),
)

_NOISE = (
    Entry(
        term="mean ± sd",
        meaning="The mean over seeds, and the sample standard deviation (with n − 1) of single trainings around it. "
        "It is no standard error: it does not become smaller with more seeds.",
    ),
    Entry(
        term="95 % interval",
        meaning="A range made so that of many such ranges 95 in 100 hold the truth. With several seeds it holds the "
        "noise of seeds and of test images; with one seed that of the test images alone, and how much another seed "
        "would change the number is unknown.",
        heads=("95 % interval",),
    ),
    Entry(
        term="Wilson's interval",
        meaning="Of one training: what the accuracy on many more images of the same kind may be. It never leaves 0 "
        "to 100 %.",
        source="Wilson 1927",
    ),
    Entry(
        term="crossed random effects",
        meaning="Every seed is measured on the same test images, so hits form a table of seeds by images. Its noise "
        "is put together from both directions, less what both hold twice.",
        source="Searle, Casella and McCulloch 1992",
    ),
    Entry(
        term="Student's t with Satterthwaite's degrees of freedom",
        meaning="With few seeds the noise itself is only estimated, so an interval is made wider than 1.96 errors. "
        "How much wider depends on how many seeds and images the noise was estimated from.",
        source="Student 1908; Satterthwaite 1946",
    ),
)

_TESTS = (
    Entry(
        term="difference",
        meaning="The first less the second, in points of accuracy, on the same test images.",
        heads=("Difference, points",),
    ),
    Entry(
        term="p",
        meaning="How often noise alone would make a difference as large as this one or larger, if there were none in "
        "truth. It is not the probability that there is none.",
        heads=("p",),
    ),
    Entry(
        term="p, adjusted; Holm",
        meaning="Of many pairs some look different by luck. Adjusted p values are made larger, so that among all "
        "pairs together a false alarm is as rare as in one test: below 0.05 counts.",
        source="Holm 1979; of more than 30 variants Bonferroni",
        heads=("p, adjusted",),
    ),
    Entry(
        term="McNemar's test",
        meaning="Of two single trainings: of the images that only one got right, each should have about half if the "
        "two are equally good. It says something of these two trainings, not of their variants.",
        source="McNemar 1947",
    ),
    Entry(
        term="only one right; flips",
        meaning="How many test images only the first, or only the second of a pair got right. Two networks of the "
        "same accuracy may be wrong on different images.",
        heads=("Only the first right", "Only the second right"),
    ),
    Entry(
        term="ahead in pairs of seeds",
        meaning="The share of pairs (a seed of the one, a seed of the other) in which the first has the higher "
        "accuracy: an estimate of the probability that a training of A beats one of B. 50 % is a draw.",
        source="Mann and Whitney 1947",
        heads=("Ahead in pairs of seeds",),
    ),
    Entry(
        term="equal within a margin; TOST",
        meaning="Two one-sided tests say that the difference is smaller than the margin, 1 point, either way. "
        "“Cannot be told apart” is less: it may only mean that there were too few seeds or images.",
        source="Schuirmann 1987",
    ),
    Entry(
        term="would have been found",
        meaning="The smallest true difference that a test like this one finds in 80 % of all cases. Smaller ones may "
        "be there and stay hidden.",
        heads=("Would have been found",),
    ),
    Entry(
        term="seeds needed",
        meaning="With so many seeds of each variant the difference as it looks now would be told apart, or the claim "
        "decided, in 80 % of all cases. “–” where no number of seeds is enough or it cannot be told. A difference "
        "that was just found is usually too large, so plan for more.",
        heads=("Seeds needed",),
    ),
    Entry(
        term="verdict",
        meaning="Of a pair: who is ahead by the adjusted p value, equal within the margin, or cannot be told apart. "
        "Of a claim: supported where the whole interval lies where the claim says, contradicted where it lies "
        "elsewhere, undecided otherwise, and always with a single seed.",
        heads=("Verdict",),
    ),
)

_BEYOND = (
    Entry(
        term="precision",
        meaning="Of the images that the network calls a class, the share that is of it.",
    ),
    Entry(
        term="recall",
        meaning="Of the images of a class, the share that the network finds. The hardest class has the lowest one.",
        heads=("Hardest class",),
    ),
    Entry(
        term="balanced accuracy",
        meaning="The mean recall over classes, each counting the same however many images it has. Who always gives the "
        "same answer has one part in as many as there are classes.",
        heads=("Balanced acc.",),
    ),
    Entry(
        term="F1, macro F1",
        meaning="F1 of a class is the harmonic mean of precision and recall, 2 P R / (P + R). Macro F1 is the mean "
        "over classes, each counting the same however many images it has.",
        heads=("Macro F1",),
    ),
    Entry(
        term="confusion",
        meaning="Which class is taken for which. The most confused pairs have the largest shares of a true class "
        "that is taken for one other.",
        heads=("Most confused",),
    ),
    Entry(
        term="Brier score",
        meaning="The squared distance of the probabilities to the truth, summed over classes, mean over images: 0 is "
        "perfect, 2 is sure and always wrong.",
        source="Brier 1950",
        heads=("Brier score",),
    ),
    Entry(
        term="ECE",
        meaning="Expected calibration error: how far, on average, the probability that a network gives is from the "
        "share that is right, in points, over 15 bins of probability.",
        source="Guo et al. 2017",
        heads=("ECE",),
    ),
    Entry(
        term="reliability diagram",
        meaning="The share that is right over the probability that the network gave. On the diagonal probabilities "
        "can be believed; below it the network is too sure of itself.",
        source="DeGroot and Fienberg 1983",
    ),
)

_COST = (
    Entry(
        term="parameters",
        meaning="How many numbers a network learns. It has no noise.",
        heads=("Parameters",),
    ),
    Entry(
        term="FLOPs",
        meaning="Multiplications and additions of one image's forward pass, as PyTorch counts them, in millions.",
        heads=("MFLOP/image",),
    ),
    Entry(
        term="epochs",
        meaning="How often a training went over all its images before it stopped.",
        heads=("Epochs",),
    ),
    Entry(
        term="training and evaluation time",
        meaning="Seconds of all epochs of one training, loading of data and the final test apart. They depend on the "
        "machine and on what else ran there. Seconds per epoch hold both.",
        heads=("Training s", "Evaluation s", "s per epoch"),
    ),
    Entry(
        term="peak memory",
        meaning="The most memory in use at once, in MiB: on a card the training's own, on a CPU that of the whole "
        "process.",
        heads=("Peak MiB",),
    ),
    Entry(
        term="energy",
        meaning="What a training is taken to have used, by the card's own counter: an estimate. Trainings that share "
        "a card have equal parts. What the card draws at rest is in it; processor and memory of the host are not.",
        heads=("Energy kJ, estimate",),
    ),
    Entry(
        term="Pareto front, dominated",
        meaning="A variant is dominated when another one is at least as accurate and costs no more, and is better in "
        "one of the two. Means are compared, noise has no say. Those that nothing dominates are the front: which of "
        "them is best depends on what accuracy is worth.",
        heads=("Dominated by",),
    ),
)

_PACE = (
    Entry(
        term="time to accuracy",
        meaning="Seconds of training and evaluation, and epochs, until validation accuracy was first as high as a "
        "target: means over the seeds that got there alone. Where some did not, the mean is of the faster ones. The "
        "best validation accuracy is the highest of any epoch.",
        heads=("Best val. acc.", "Seeds at", "s to", "Epochs to"),
    ),
    Entry(
        term="stability",
        meaning="How steady validation accuracy is, in points: its standard deviation over the last quarter of the "
        "epochs, “–” below three, and its fall from the highest epoch to the last one. Small numbers: it hardly "
        "matters which epoch is taken.",
        heads=("Sd, last quarter", "Fall from best"),
    ),
)

GLOSSARY: tuple[Entry, ...] = (*_DATA, *_NOISE, *_TESTS, *_BEYOND, *_COST, *_PACE)
"""In the order in which a reader of the page meets them."""
