"""The outermost room: assembles everything and speaks HTTP."""
