"""Sentences of planning: refusals, why something is left out, what would help, and who is late and why."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    # refusals
    "plan_unknown": _l("This plan does not exist, or it belongs to another site."),
    "plan_day_unreadable": _l("“%(value)s” is not a day. Write it like 2026-03-02."),
    "plan_day_past": _l("%(day)s has passed and cannot be planned any more."),
    "plan_seconds_out_of_range": _l("The planning time must be between %(low)s and %(high)s seconds."),
    "plan_scope_not_a_centre": _l("Plan for a county centre or for the city; %(site)s is neither."),
    "plan_body_malformed": _l("A plan is ordered with day, scope and seconds."),
    "plan_not_ready": _l("Only a plan that is ready can be published."),
    "plan_not_running": _l("This plan is not being worked out at the moment."),
    "plan_not_published": _l("This plan is not the published one any more. Open the current plan."),
    "plan_not_driven_now": _l("Only the plan that is driven today can be planned anew from where everybody is."),
    "plan_problem_refused": _l("The day cannot be planned: %(problem)s. Check the sites and couriers."),
    "plan_cancelled": _l("Planning was taken back before it began."),
    "legs_too_few": _l(
        "%(known)s drives were recorded at both ends, %(needed)s are needed. "
        "Couriers record them by scanning at each stop."
    ),
    "plan_no_counties": _l("No county of %(site)s has a courier who drives."),
    "no_couriers": _l("No courier is on shift any more on %(day)s. Add a courier or choose another day."),
    "no_published_plan": _l("No published plan covers this site today. Plan and publish the day first."),
    "courier_in_other_plan": _l(
        "Another plan that was published meanwhile uses courier %(courier)s. Plan again; it takes seconds."
    ),
    "pickup_unknown": _l("This pickup does not exist, or it belongs to another site."),
    "pickup_not_open": _l("This pickup has been planned or fetched already."),
    "pickup_not_plannable": _l("This pickup cannot be planned: its site has no position, or another plan has it."),
    "offer_gone": _l("It does not fit with this courier any more. Ask for new offers."),
    "no_offer": _l("No courier can take this call in time beside what is promised. Plan again or call somebody in."),
    "job_given_up": _l("The job ended its worker several times and was given up. Tell the administrator."),
    # edits of a draft
    "plan_not_editable": _l("Only a draft that is ready can be changed. Open it again to see where it stands."),
    "plan_changed_meanwhile": _l("Somebody else changed this plan meanwhile. What you see now is the newest state."),
    "edit_body_malformed": _l("An edit names its action, the requests and the state of the plan it was made on."),
    "edit_unknown": _l("There is no edit “%(action)s”."),
    "request_unknown": _l("This plan does not know the pickup %(request)s."),
    "courier_not_in_plan": _l("Courier %(courier)s is not on shift in this plan."),
    "place_unknown": _l("The route has no place number %(place)s."),
    "nothing_to_undo": _l("There is nothing to undo."),
    "nothing_to_redo": _l("There is nothing to do again."),
    "not_in_a_route": _l("Only what a courier has can be pinned to him."),
    "aboard_must_be_brought": _l("What is aboard already cannot be left out: it must be brought."),
    "plans_do_not_match": _l("These plans are not for the same day and the same sites."),
    "remedy_gone": _l("This remedy does not help any more. Look at the reason again."),
    "remedy_not_yours": _l("A dispatcher cannot do this for a plan: it needs the laboratory or the administrator."),
    "remedy_beyond_use_by": _l("The tubes must be at the laboratory by %(limit)s; later does not help them."),
    "move_breaks_rules": _l("This move breaks rules of the plan."),
    "move_late_pickup": _l("%(site)s would be fetched %(minutes)s min too late."),
    "move_late_delivery": _l("What is fetched at %(site)s would be handed over %(minutes)s min too late."),
    "move_shift_end": _l("The shift would end %(minutes)s min too late."),
    "move_ride": _l("The box of %(site)s would travel %(minutes)s min too long."),
    "move_duration": _l("The courier would be on the road %(minutes)s min too long."),
    "move_aboard_full": _l("The vehicle would be too full."),
    "move_capacity_exceeded": _l("The vehicle has too little room for %(site)s."),
    "move_no_skill": _l("This courier may not fetch at %(site)s."),
    "move_limits_together": _l("The limits of this route cannot be kept together."),
    "move_delivery_before_pickup": _l("%(site)s would be handed over before it is fetched."),
    "move_locked": _l("The route is locked. Unlock it first."),
    "move_pinned": _l("%(site)s is pinned to another courier. Unpin it first."),
    "unserved_aboard_of_taken_out": _l(
        "It is in the vehicle of %(courier)s, who is out: send somebody to take it over there."
    ),
    "unserved_set_aside": _l("You left it out; %(courier)s could take it now."),
    "unserved_fits_now": _l("%(courier)s could take it now."),
    "unserved_pinned_elsewhere": _l("It is pinned to another courier."),
    "notice_no_better_found": _l("Nothing better was found than the plan it began from."),
    # why something is left out (code of the planner)
    "unserved_pickup_window_too_early": _l(
        "%(courier)s, the nearest courier, can be there at %(earliest_arrival)s; fetching ends at %(latest_pickup)s."
    ),
    "unserved_pickup_window_empty": _l("It is ready at %(ready)s, but fetching ends at %(latest_pickup)s."),
    "unserved_due_before_arrival": _l(
        "%(courier)s, the nearest courier, would be at the laboratory at %(earliest_delivery)s; "
        "it must be there by %(due)s."
    ),
    "unserved_laboratory_closed": _l(
        "%(courier)s would arrive at %(earliest_delivery)s; %(site)s closes at %(closes)s."
    ),
    "unserved_shift_too_short": _l(
        "%(courier)s, the nearest courier, would be back at %(earliest_end)s; the shift ends at %(shift_end)s."
    ),
    "unserved_off_duty": _l("%(courier)s is on shift from %(shift_start)s to %(shift_end)s only."),
    "unserved_no_courier_on_duty": _l("No courier is on shift between %(ready)s and %(due)s."),
    "unserved_ride_too_long": _l(
        "The ride would take %(ride)s min with %(courier)s; the box may travel %(max_ride)s min."
    ),
    "unserved_duration_too_long": _l(
        "%(courier)s would be on the road %(duration)s min; %(max_duration)s min are allowed."
    ),
    "unserved_limits_together": _l("Each limit could be kept with %(courier)s, but not all of them together."),
    "unserved_no_skill": _l("No courier has what this pickup asks for: %(skills)s."),
    "unserved_capacity_exceeded": _l(
        "It needs %(needed_slots)s slots for %(temperature_class)s; the vehicle of %(courier)s has %(available_slots)s."
    ),
    "unserved_aboard_full": _l("The vehicle of %(courier)s is full on every way that would pass."),
    "unserved_other_promises": _l("%(courier)s could only take it by breaking promises to other sites."),
    "unserved_courier_not_allowed": _l("It is for others to fetch, not for %(courier)s."),
    "unserved_aboard_of_another": _l("It is in the vehicle of %(aboard_of_courier)s already."),
    "unserved_no_time_for_break": _l(
        "%(courier)s could take it, but not beside the break that begins between %(earliest)s and %(latest)s."
    ),
    "unserved_incompatible_aboard": _l(
        "It may not travel with what %(courier)s has aboard: %(load_kind)s with %(other_kind)s."
    ),
    "unserved_no_room_left": _l("Every courier is busy at that time; %(courier)s comes nearest."),
    "unserved_site_without_position": _l("Nobody entered where %(site)s lies."),
    "unserved_no_skill_area": _l("%(courier)s does not drive in the area of %(site)s."),
    # what would be enough
    "remedy_extend_pickup_window": _l("Fits if %(site)s lets it be fetched until %(until)s (%(courier)s)."),
    "remedy_extend_receiving": _l("Fits if %(site)s receives until %(until)s (%(courier)s)."),
    "remedy_extend_due": _l("Fits if it may be at %(site)s at %(until)s (%(courier)s)."),
    "remedy_extend_shift_end": _l("Fits if %(courier)s works until %(shift_end)s."),
    "remedy_advance_shift_start": _l("Fits if %(courier)s begins at %(shift_start)s."),
    "remedy_extend_ride": _l("Fits if the box may travel %(max_ride)s min (%(courier)s)."),
    "remedy_extend_duration": _l("Fits if %(courier)s may be on the road %(max_duration)s min."),
    "remedy_add_courier": _l("Fits with one more courier, from %(start)s to %(end)s."),
    "remedy_add_capacity": _l(
        "Fits with %(slots)s more slots for %(temperature_class)s in the vehicle of %(courier)s."
    ),
    "remedy_allow_courier": _l("Fits if %(courier)s may fetch it."),
    "remedy_move_break": _l("Fits if the break of %(courier)s may begin at %(latest)s."),
    "remedy_carry_together": _l("Fits if %(load_kind)s and %(other_kind)s may travel together (%(courier)s)."),
    "remedy_grant_skill": _l("Fits if %(courier)s may do this: %(skills)s."),
    "remedy_grant_skill_area": _l("Fits if %(courier)s may also drive in the area of %(site)s."),
    # about the plan as a whole
    "notice_travel_fallback": _l("The road server did not answer: travel times are estimated from distances."),
    "notice_stopped_early": _l("Stopped after %(elapsed)s s; this is the best plan found until then."),
    "notice_explanations_cut_short": _l("%(requests)s reasons are short, because looking into them took too long."),
    "notice_other_plans": _l(
        "Left to other published plans of the day: %(pickups)s pickups and %(couriers)s couriers."
    ),
    # the live board: why
    "board_idle": _l("Nothing planned today."),
    "board_fine": _l("Next: %(site)s at %(at)s."),
    "board_finished": _l("All stops are done."),
    "board_silent": _l("No position for %(minutes)s min."),
    "board_alarm": _l("Box %(box)s is outside its temperature band."),
    "board_late_on_way": _l("%(minutes)s min late: expected at %(site)s at %(at)s."),
    "board_late_held": _l("%(minutes)s min late for %(site)s: still at %(here)s, there for %(stay)s min."),
    "board_late_not_left": _l("%(minutes)s min late for %(site)s: has not left yet."),
    "board_late_off_duty": _l("%(minutes)s min late for %(site)s: has not gone on duty."),
    "board_late_silent": _l("%(minutes)s min late for %(site)s, and no position for %(silence)s min."),
}
