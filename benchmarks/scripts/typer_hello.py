"""The least that a program on typer can be."""

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def hello(name: str = "you") -> None:
    """Greet."""
    print(name)


app()
