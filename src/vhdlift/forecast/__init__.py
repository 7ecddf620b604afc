"""How long a run will take and what it will cost, from tables of figures and nobody's answer."""
