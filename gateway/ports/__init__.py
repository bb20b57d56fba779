"""What the runtime needs from the world, as Protocols; a module per reader."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
