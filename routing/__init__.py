"""Which courier fetches what, when: numbers in, plan out. Knows no specimen, no database, no web."""
