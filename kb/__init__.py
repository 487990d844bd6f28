"""The knowledge base: facts with evidence in SQL, an index of their vectors, and the verdicts between them."""

import logging

from kb.answerability import Answerability
from kb.choices import ChoiceWeights
from kb.errors import IndexMismatch, KBError, MigrationError, StoreBusy, StoreError
from kb.knowledge_base import KnowledgeBase
from kb.lock import HomeLock
from kb.protocols import Embedder, FloatArray
from kb.recall import RecallWeights
from kb.reports import (
    FactSource,
    Forgotten,
    GraphEdge,
    GraphNode,
    Neighbourhood,
    Slept,
    StoreCounts,
    StoryNews,
    StorySummary,
    VerifyReport,
)
from kb.reread import Rereader, RereadWeights
from kb.supported import Passage, changed_qualifier, holds_words, unsupported
from kb.values import (
    Answer,
    AnswerKind,
    Article,
    ArticleReport,
    CheckOutcome,
    Decision,
    Draft,
    Entity,
    Entry,
    Evidence,
    Fact,
    Feed,
    FeedCheck,
    FeedState,
    FeedStatus,
    FullText,
    Match,
    NoAnswer,
    Question,
    QueuedEntry,
    RankedChoice,
    Scores,
    Story,
    StoryProfile,
    Topics,
    Verdict,
    content_id,
)

logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "Answer",
    "AnswerKind",
    "Answerability",
    "Article",
    "ArticleReport",
    "CheckOutcome",
    "ChoiceWeights",
    "Decision",
    "Draft",
    "Embedder",
    "Entity",
    "Entry",
    "Evidence",
    "Fact",
    "FactSource",
    "Feed",
    "FeedCheck",
    "FeedState",
    "FeedStatus",
    "FloatArray",
    "Forgotten",
    "FullText",
    "GraphEdge",
    "GraphNode",
    "HomeLock",
    "IndexMismatch",
    "KBError",
    "KnowledgeBase",
    "Match",
    "MigrationError",
    "Neighbourhood",
    "NoAnswer",
    "Passage",
    "Question",
    "QueuedEntry",
    "RankedChoice",
    "RecallWeights",
    "RereadWeights",
    "Rereader",
    "Scores",
    "Slept",
    "StoreBusy",
    "StoreCounts",
    "StoreError",
    "Story",
    "StoryNews",
    "StoryProfile",
    "StorySummary",
    "Topics",
    "Verdict",
    "VerifyReport",
    "changed_qualifier",
    "content_id",
    "holds_words",
    "unsupported",
]
