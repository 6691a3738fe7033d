select
  {{ staging_tuva_head() }},
  {{ staging_text('contact_id') }} as contact_id,
  {{ staging_tuva_member() }} as member_id,
  lower({{ staging_text('program') }}) as program,
  lower({{ staging_text('channel') }}) as channel,
  {{ staging_text('team') }} as team,
  {{ staging_date('assigned_date') }} as assigned_date,
  lower({{ staging_text('assigned_by') }}) as assigned_by,
  {{ staging_bool('is_offered') }} as is_offered,
  {{ staging_double('assignment_probability') }} as assignment_probability,
  {{ staging_bool('is_reached') }} as is_reached,
  lower({{ staging_text('disposition') }}) as disposition,
  {{ staging_tuva_delivered(
    dates=['assigned_date'],
    numbers=['assignment_probability'],
    flags=['is_offered', 'is_reached']
  ) }}
from ({{ staging_new_files('tuva__outreach_contact') }})
