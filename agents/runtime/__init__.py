"""An agent at work: in each turn the model decides among tools, the tool runs, until the task ends.

work_task(agent=…, desk=…, customer="acme", task_id="ticket-1", model=…, meter=…)
"""
