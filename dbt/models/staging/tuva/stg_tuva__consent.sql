select
  {{ staging_tuva_head() }},
  {{ staging_tuva_member() }} as member_id,
  lower({{ staging_text('program') }}) as program,
  lower({{ staging_text('channel') }}) as channel,
  {{ staging_bool('is_consented') }} as is_consented,
  {{ staging_date('effective_date') }} as effective_date,
  {{ staging_tuva_delivered(
    dates=['effective_date'],
    flags=['is_consented']
  ) }}
from ({{ staging_new_files('tuva__consent') }})
