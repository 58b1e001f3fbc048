"""The rules of money as pure functions of frozen values. Nothing here knows Django, a table or the clock."""
