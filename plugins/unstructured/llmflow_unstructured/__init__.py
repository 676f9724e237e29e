"""Documents become elements: titles, paragraphs, lists, tables, with page and place. No class of Dify's SDK."""
