"""The risk that a user sets holds on news that its curve was not measured on."""

from pathlib import Path

from agent.evaluate_novelty import learn_stream, read_newsroom, ruled_sentences
from agent.judgement import load_judgement
from agent.novelty_rule import find_covering
from agent.progress import SilentProgress
from agent.settings import load_settings
from kb import KnowledgeBase

RISK = 0.02
ARTICLES = 60


def test_no_more_new_sentences_are_skipped_than_chosen(tidings_data: Path, tmp_path: Path):
    """What is new is told by words alone, which take a paraphrase for new."""
    judgement = load_judgement(load_settings({"TIDINGS_KB__MAX_FALSE_SKIP": str(RISK)}))
    articles, _ = read_newsroom(tidings_data, ARTICLES)
    reading = judgement.reading
    with KnowledgeBase.open(tmp_path, reading.embedder, judgement.answerability) as kb:
        learn_stream(kb, reading, articles, SilentProgress())
        ruled = [
            one
            for article in articles
            for one in ruled_sentences(article, kb.article_decisions(article.id))
        ]
    is_heard = find_covering([one.said for one in ruled])
    new = [one for one, earlier in zip(ruled, is_heard, strict=True) if not earlier]
    assert len(new) > 500
    assert sum(not one.is_kept for one in new) <= RISK * len(new)
