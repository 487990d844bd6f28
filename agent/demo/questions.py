"""What a reader of the invented news may ask, and from which day on it can be known."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """A question about the demo's news.

    Attributes:
        text: as a person would type it.
        known_from_day: 1 to 3: the first day whose articles answer it; None: none does.
        answers: each of them stands in an article; several where outlets contradict or correct
            one another.
    """

    text: str
    known_from_day: int | None
    answers: tuple[str, ...] = ()


QUESTIONS = (
    DemoQuestion("What was stolen from the Ellory Museum?", 1, ("the Harrowgate Astrolabe",)),
    DemoQuestion("How many vehicles cross the Kestrel Bridge every day?", 1, ("41,000", "38,000")),
    DemoQuestion("How many light years away is the planet Tamsin b?", 1, ("41",)),
    DemoQuestion("Who won the mayoral election in Osmere?", 2, ("Dalia Brandt",)),
    DemoQuestion("How many homes did Storm Petra leave without power?", 2, ("23,000", "17,000")),
    DemoQuestion("How much will the repair of the Kestrel Bridge cost?", 2, ("14 million crowns",)),
    DemoQuestion("When will the Kestrel Bridge reopen?", 3, ("2 April",)),
    DemoQuestion("Where was the Harrowgate Astrolabe found?", 3, ("a fish warehouse",)),
    DemoQuestion("Who designed the lighthouse of Calderhaven?", None),
)
