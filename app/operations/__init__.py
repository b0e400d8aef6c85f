"""What an operator does with Conversations, one plain function for each operation; the commands call these.

Every function checks what it is given before anything is sent, and raises Refused or SendError.
"""
