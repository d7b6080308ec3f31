"""TraceQL, Tempo's language of questions: its text, its tree, and the SQL that answers it."""
